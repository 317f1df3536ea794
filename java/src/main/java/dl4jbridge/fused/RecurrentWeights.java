package dl4jbridge.fused;

import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * The parameters of one recurrent layer, or their gradients, in DL4J's layout: FLOAT, 'f' order, W [nIn, 4H],
 * RW [H, 4H + peepholes], b [1, 4H], with the columns of {@link Gates}.
 */
final class RecurrentWeights {
    final Memory input;
    final Memory recurrent;
    final Memory bias;

    RecurrentWeights(INDArray input, INDArray recurrent, INDArray bias) {
        this.input = fortran(input);
        this.recurrent = fortran(recurrent);
        this.bias = fortran(bias);
    }

    private static Memory fortran(INDArray a) {
        if (a.rank() == 1) {
            return Memory.of(a);
        }
        boolean isFortran = (a.size(0) == 1 || a.stride(0) == 1) && (a.size(1) == 1 || a.stride(1) == a.size(0));
        return Memory.of(isFortran ? a : a.dup('f'));
    }

    void keep() {
        input.keep();
        recurrent.keep();
        bias.keep();
    }
}
