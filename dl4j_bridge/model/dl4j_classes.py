"""The classes that a stranger's configuration may name: those of DL4J and ND4J that only describe a network.

Left out are custom classes, everything that runs a SameDiff graph (lambdas, attention, capsules, locally connected
layers), and layers that hold arrays or classes of their own (variational autoencoder, YOLO, one-class networks,
embeddings with an initialiser).
"""

from __future__ import annotations

_NAMES = {
    "org.deeplearning4j.nn.conf.layers.": """
        ActivationLayer AutoEncoder BatchNormalization CenterLossOutputLayer Cnn3DLossLayer CnnLossLayer Convolution1D
        Convolution1DLayer Convolution2D Convolution3D ConvolutionLayer Deconvolution2D Deconvolution3D DenseLayer
        DepthwiseConvolution2D DropoutLayer EmbeddingLayer EmbeddingSequenceLayer GlobalPoolingLayer
        GravesBidirectionalLSTM GravesLSTM LSTM LocalResponseNormalization LossLayer OutputLayer PReLULayer Pooling1D
        Pooling2D RnnLossLayer RnnOutputLayer SeparableConvolution2D SpaceToBatchLayer SpaceToDepthLayer
        Subsampling1DLayer Subsampling3DLayer SubsamplingLayer Upsampling1D Upsampling2D Upsampling3D
        ZeroPadding1DLayer ZeroPadding3DLayer ZeroPaddingLayer convolutional.Cropping1D convolutional.Cropping2D
        convolutional.Cropping3D misc.ElementWiseMultiplicationLayer misc.FrozenLayer misc.FrozenLayerWithBackprop
        misc.RepeatVector recurrent.Bidirectional recurrent.LastTimeStep recurrent.SimpleRnn recurrent.TimeDistributed
        util.MaskLayer util.MaskZeroLayer""",
    "org.deeplearning4j.nn.conf.graph.": """
        ElementWiseVertex FrozenVertex L2NormalizeVertex L2Vertex LayerVertex MergeVertex PoolHelperVertex
        PreprocessorVertex ReshapeVertex ScaleVertex ShiftVertex StackVertex SubsetVertex UnstackVertex
        rnn.DuplicateToTimeSeriesVertex rnn.LastTimeStepVertex rnn.ReverseTimeSeriesVertex""",
    "org.deeplearning4j.nn.conf.preprocessor.": """
        Cnn3DToFeedForwardPreProcessor CnnToFeedForwardPreProcessor CnnToRnnPreProcessor ComposableInputPreProcessor
        FeedForwardToCnn3DPreProcessor FeedForwardToCnnPreProcessor FeedForwardToRnnPreProcessor RnnToCnnPreProcessor
        RnnToFeedForwardPreProcessor""",
    "org.deeplearning4j.nn.conf.constraint.": """
        MaxNormConstraint MinMaxNormConstraint NonNegativeConstraint UnitNormConstraint""",
    "org.deeplearning4j.nn.conf.distribution.": """
        BinomialDistribution ConstantDistribution GaussianDistribution LogNormalDistribution NormalDistribution
        OrthogonalDistribution TruncatedNormalDistribution UniformDistribution""",
    "org.deeplearning4j.nn.conf.dropout.": "AlphaDropout Dropout GaussianDropout GaussianNoise SpatialDropout",
    "org.deeplearning4j.nn.conf.weightnoise.": "DropConnect WeightNoise",
    "org.deeplearning4j.nn.weights.": """
        WeightInitConstant WeightInitDistribution WeightInitIdentity WeightInitLecunUniform WeightInitNormal
        WeightInitRelu WeightInitReluUniform WeightInitSigmoidUniform WeightInitUniform
        WeightInitVarScalingNormalFanAvg WeightInitVarScalingNormalFanIn WeightInitVarScalingNormalFanOut
        WeightInitVarScalingUniformFanAvg WeightInitVarScalingUniformFanIn WeightInitVarScalingUniformFanOut
        WeightInitXavier WeightInitXavierLegacy WeightInitXavierUniform""",
    "org.nd4j.linalg.activations.impl.Activation": """
        Cube ELU GELU HardSigmoid HardTanH Identity LReLU Mish RReLU RationalTanh ReLU ReLU6 RectifiedTanh SELU
        Sigmoid SoftPlus SoftSign Softmax Swish TanH ThresholdedReLU""",
    "org.nd4j.linalg.lossfunctions.impl.Loss": """
        BinaryXENT CosineProximity FMeasure Hinge KLD L1 L2 MAE MAPE MCXENT MSE MSLE MixtureDensity MultiLabel
        NegativeLogLikelihood Poisson SparseMCXENT SquaredHinge Wasserstein""",
    "org.nd4j.linalg.learning.config.": """
        AMSGrad AdaBelief AdaDelta AdaGrad AdaMax Adam Nadam Nesterovs NoOp RmsProp Sgd""",
    "org.nd4j.linalg.learning.regularization.": "L1Regularization L2Regularization WeightDecay",
    "org.nd4j.linalg.schedule.": """
        CycleSchedule ExponentialSchedule FixedSchedule InverseSchedule MapSchedule PolySchedule RampSchedule
        SigmoidSchedule StepSchedule""",
}

CLASSES = frozenset(prefix + name for prefix, names in _NAMES.items() for name in names.split())
